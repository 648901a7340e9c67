"""What can go wrong with products."""

from app.core.errors import Conflict, NotFound


class ProductNotFound(NotFound):
    """The caller has no such product."""

    code, title = "product_not_found", "There is no such product"


class CertificateNotFound(NotFound):
    """The product names no such certificate."""

    code, title = "certificate_not_found", "The product has no such certificate"


class CertificateWithoutNumber(Conflict):
    """There is nothing to look up: the certificate has no number."""

    code, title = "certificate_without_number", "A certificate without its number can't be verified"


class ImportUnderWay(Conflict):
    """Two imports would write the same products at once."""

    code, title = "import_under_way", "Another import is under way"
