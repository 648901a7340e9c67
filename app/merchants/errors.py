"""What can go wrong with merchants."""

from app.core.errors import Conflict, Forbidden, NotFound


class MerchantNotFound(NotFound):
    """No merchant by that id."""

    code, title = "merchant_not_found", "There is no such merchant"


class MerchantKeyTaken(Conflict):
    """Another merchant has that readable name."""

    code, title = "merchant_key_taken", "Another merchant has this key"


class KeyNotFound(NotFound):
    """The merchant has no such API key in use."""

    code, title = "key_not_found", "There is no such API key"


class TestKeyRequired(Forbidden):
    """The route makes things up, which a live key may not."""

    code, title = "test_key_required", "This route is for test keys alone"


class CustomerNotFound(NotFound):
    """The merchant has linked nobody under that reference."""

    code, title = "customer_not_found", "No member is linked with this customer reference"
