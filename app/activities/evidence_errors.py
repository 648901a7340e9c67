"""Errors of evidence, self-declared activities and their reviews."""

from app.core.errors import Conflict, NotFound, UnsupportedMediaType, ValidationProblem


class NotAPicture(UnsupportedMediaType):
    """The upload is neither declared as a picture nor as a form with one."""

    title = "Send a picture as image/jpeg, image/png, image/webp or multipart/form-data"


class NotAnImage(ValidationProblem):
    """The upload is not a whole JPEG, PNG or WebP, or is something else besides."""

    code, title = "not_an_image", "This is not a picture that can be read"

    def __init__(self, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(errors or [{"pointer": "", "detail": "Send a whole JPEG, PNG or WebP."}])


class ImageTooLarge(ValidationProblem):
    """The picture has too many pixels."""

    code, title = "image_too_large", "The picture has too many pixels"

    def __init__(self, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(errors or [{"pointer": "", "detail": "At most 40 megapixels."}])


class EvidenceNotFound(NotFound):
    """No such evidence of this caller, or its picture is deleted."""

    code, title = "evidence_not_found", "There is no such evidence"


class EvidenceUsed(Conflict):
    """Another activity has cited the evidence."""

    code, title = "evidence_used", "This evidence belongs to another activity"


class SelfDeclaredLimit(Conflict):
    """The member has declared as many activities today as may be."""

    code, title = "self_declared_limit", "As many activities as can be declared on one day were declared"


class ReviewNotFound(NotFound):
    """No such review."""

    code, title = "review_not_found", "There is no such review"


class ReviewClosed(Conflict):
    """The review is decided, or its time is over."""

    code, title = "review_closed", "The review is closed"
