"""Examples of the contract's activity, for the OpenAPI document."""

ACTIVITY = {
    "id": "order-10023",
    "revision": 1,
    "kind": "purchase",
    "occurred_at": "2026-11-23T09:12:00Z",
    "member": {"ref": "customer-17850"},
    "currency": "EUR",
    "region": "DE-BE",
    "channel": "web",
    "completed": True,
    "receipt": "R-5531",
    "device": "till-3",
    "lines": [
        {
            "id": "1",
            "sku": "A-1",
            "gtin": "04006381333931",
            "name": "Loose carrots",
            "category": "produce",
            "quantity": 2,
            "unit_price": 599,
            "total": 1198,
            "weight_g": 1000,
            "certifications": [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}],
            "packaging": ["UNPACKED"],
        }
    ],
    "packaging": ["REUSABLE_BOX", "SLIM_TAPE_45", "NO_BAG"],
    "evidence": "staff",
    "metadata": {},
}
CART = {key: value for key, value in ACTIVITY.items() if key not in ("id", "revision", "receipt")}
ANSWER = {
    "id": "019a5f3e-2c6b-7c1e-9d53-2f1f8c0a4b11",
    "external_id": "order-10023",
    "revision": 1,
    "status": "accepted",
    "member_id": "019a5f3e-1f00-7a57-8a52-6a1d3c9b7e02",
    "occurred_at": "2026-11-23T09:12:00Z",
    "points": {"awarded": 20, "available": 0, "pending": 20, "paid_debt": 0},
    "awards": [
        {
            "campaign": "certified-products",
            "rule": "organic-produce",
            "version": 3,
            "line": "1",
            "points": 20,
            "desired_points": 20,
            "certificate": {"code": "EU_ORGANIC", "number": "DE-ÖKO-001", "basis": "registered"},
            "available_at": "2026-12-07T09:12:00Z",
            "expires_at": "2027-11-30T23:59:59Z",
            "reasons": [{"code": "matched", "detail": "This earned “Organic produce”."}],
        }
    ],
    "missed": [
        {
            "campaign": "less-packaging",
            "rule": "refill",
            "code": "condition_not_met",
            "detail": "What was bought does not meet “Refill”.",
            "next_step": "Look at what “Refill” asks for.",
        }
    ],
    "impact": [
        {
            "metric": "g_packaging_avoided",
            "value": 329,
            "low": 164,
            "high": 494,
            "factor": "019a5f3e-0a11-7b3c-8f21-4f0b2d6c9e77",
            "subject": "REUSABLE_BOX",
            "note": "breaks even after 2-3 uses; below a 75% return rate a box is used about 4 times",
        }
    ],
}
WAITING = {
    **{key: ANSWER[key] for key in ("id", "external_id", "revision", "occurred_at")},
    "status": "waiting_for_claim",
    "member_id": None,
    "claim_code": "7K2-M9Q-XT4-HVN-3A",
    "claim_qr": "GREENPOINTS:CLAIM:7K2M9QXT4HVN3A",
    "points": {"awarded": 0, "available": 0, "pending": 0, "paid_debt": 0},
    "awards": [],
    "missed": [],
    "impact": [],
}
COMPLETED = {**ANSWER, "completed_at": "2026-11-26T16:20:00Z"}
BATCH_ANSWER = {
    "results": [
        {"index": 0, "status": 201, "replayed": False, "activity": ANSWER, "problem": None},
        {
            "index": 1,
            "status": 422,
            "replayed": False,
            "activity": None,
            "problem": {
                "type": "urn:greenpoints:problem:validation_failed",
                "title": "The request does not fit the contract",
                "status": 422,
                "detail": "Must be greater than or equal to 1 and less than or equal to 10000.",
                "code": "validation_failed",
                "errors": [{"pointer": "/lines/0/quantity", "detail": "Must be greater than or equal to 1."}],
            },
        },
    ]
}
PREVIEW = {
    **{key: ANSWER[key] for key in ("member_id", "points", "awards", "missed", "impact")},
    "suggestions": [
        {
            "change": {"packaging": ["NO_BAG", "REUSABLE_BOX"]},
            "extra_points": 15,
            "impact": ANSWER["impact"],
            "text": "Choose “Reusable circulating box” and earn 15 more points.",
        },
        {
            "change": {"lines": [{"id": "2", "sku": "B-7"}]},
            "extra_points": 10,
            "impact": [],
            "text": "Choose “Organic oats” instead of “Oats” and earn 10 more points.",
        },
    ],
    "spendable": {"points": 120, "worth": 120, "currency": "EUR"},
}
