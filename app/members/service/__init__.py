"""Use cases of the shoppers."""

from app.members.service.enrolment import (
    MemberFacts,
    check_member,
    enrol_many,
    enrol_member,
    find_by_code,
    get_member,
    ids_by_code,
    list_members,
    on_enrolled,
    search_members,
)
from app.members.service.profile import change_profile
from app.members.service.sessions import (
    MemberPrincipal,
    TokenPair,
    authenticate,
    end_session,
    forget_old,
    refresh_session,
    start_session,
)
from app.members.service.sign_in import SignIn, request_code, sign_in

__all__ = [
    "MemberFacts",
    "MemberPrincipal",
    "SignIn",
    "TokenPair",
    "authenticate",
    "change_profile",
    "check_member",
    "end_session",
    "enrol_many",
    "enrol_member",
    "find_by_code",
    "forget_old",
    "get_member",
    "ids_by_code",
    "list_members",
    "on_enrolled",
    "refresh_session",
    "request_code",
    "search_members",
    "sign_in",
    "start_session",
]
