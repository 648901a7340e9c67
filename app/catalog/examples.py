"""Examples of products, for the OpenAPI document."""

from typing import Any

_ID = "019ab0c2-7f32-7d5a-9c74-8b4d0a3f6e32"
_STAFF = "019ab0c2-6b02-7c3e-9f52-6f2b8d1e4a10"
_MERCHANT = {"id": "019ab0c2-7c10-7b39-8e51-5e1a7c0d3f09", "key": "corner-shop"}
_STATED = {
    "code": "EU_ORGANIC", "number": "DE-ÖKO-001", "holder": "Carrot Farm eG", "grade": None,
    "valid_from": "2026-01-01", "valid_to": "2026-12-31", "link": "https://certificates.example/DE-ÖKO-001",
}  # fmt: skip
PRODUCT: dict[str, Any] = {
    "gtin": "4006381333931",
    "names": {"en": "Carrots", "de": "Möhren", "zh-CN": "胡萝卜"},
    "category": "produce",
    "packaging": ["UNPACKED"],
    "certificates": [_STATED],
}
BATCH = {"products": [{"sku": "A-1", **PRODUCT}]}
_SHOWN_CERTIFICATE = _STATED | {"verification": "unverified", "verified_at": None, "reason": None}
ANSWER: dict[str, Any] = {
    "id": _ID, "sku": "A-1", **PRODUCT, "gtin": "04006381333931", "certificates": [_SHOWN_CERTIFICATE],
    "updated_at": "2026-11-23T09:12:00Z",
}  # fmt: skip
PAGE = {"data": [ANSWER], "next_cursor": None}
BATCH_ANSWER: dict[str, Any] = {
    "results": [
        {"index": 0, "status": 201, "product": ANSWER, "problem": None},
        {
            "index": 1,
            "status": 422,
            "product": None,
            "problem": {
                "type": "urn:greenpoints:problem:validation_failed",
                "title": "The request does not fit the contract",
                "status": 422,
                "detail": "'ECO' is no certification.",
                "code": "validation_failed",
                "errors": [{"pointer": "/certificates/0/code", "detail": "'ECO' is no certification."}],
            },
        },
    ]
}
OFFERS = {"offers": ["REUSABLE_BOX", "NO_BAG"]}
OFFERS_ANSWER: dict[str, Any] = {
    "offers": ["NO_BAG", "REUSABLE_BOX"],
    "options": [
        {"code": "NO_BAG", "name": "No carrier bag", "hierarchy": "refuse", "applies_to": "order",
         "exclusive_group": None},
        {"code": "REUSABLE_BOX", "name": "Reusable circulating box", "hierarchy": "reuse", "applies_to": "parcel",
         "exclusive_group": "outer"},
    ],
}  # fmt: skip
_VERIFIED = _SHOWN_CERTIFICATE | {
    "verification": "verified", "verified_at": "2026-11-24T08:00:00Z", "checked_at": "2026-11-24T08:00:00Z",
    "checked_by": _STAFF, "reason": "Found in the control body's register",
}  # fmt: skip
_FOR_STAFF = {**_SHOWN_CERTIFICATE, "checked_at": None, "checked_by": None}
STAFF_ANSWER: dict[str, Any] = ANSWER | {
    "certificates": [_FOR_STAFF], "merchant": _MERCHANT, "live": True, "source": None, "environmental_grade": None,
    "public_labels": ["EU_ORGANIC"], "created_at": "2026-11-23T09:12:00Z", "withdrawn_at": None,
}  # fmt: skip
STAFF_VERIFIED = STAFF_ANSWER | {"certificates": [_VERIFIED], "updated_at": "2026-11-24T08:00:00Z"}
STAFF_REJECTED = STAFF_VERIFIED | {
    "certificates": [_VERIFIED | {"verification": "rejected", "verified_at": None, "reason": "Expired in the register"}]
}
STAFF_PAGE = {"data": [STAFF_ANSWER], "next_cursor": None}
VERIFICATION = {"reason": "Found in the control body's register"}
REJECTION = {"reason": "Expired in the register"}
