"""Use cases of the shoppers."""

from app.members.service.enrolment import (
    MemberFacts,
    enrol_many,
    enrol_member,
    find_by_code,
    get_member,
    ids_by_code,
    list_members,
    on_enrolled,
)

__all__ = [
    "MemberFacts",
    "enrol_many",
    "enrol_member",
    "find_by_code",
    "get_member",
    "ids_by_code",
    "list_members",
    "on_enrolled",
]
