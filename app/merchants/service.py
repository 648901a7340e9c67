"""scratch"""
from dataclasses import dataclass
from uuid import UUID
from app.core.auth import Principal
from app.core.errors import Unauthorized
@dataclass(frozen=True)
class MerchantPrincipal(Principal):
    merchant_key: str = ""
    max_evidence: str = "staff"
    @property
    def default_evidence(self) -> str:
        return self.max_evidence if self.max_evidence != "serialised" else "staff"
M = UUID("00000000-0000-7000-8000-000000000001")
def authenticate(token: str) -> MerchantPrincipal:
    if token != "gp_live_x": raise Unauthorized()
    return MerchantPrincipal("merchant", M, True, frozenset(["activities","previews"]), "demo", "staff")
