"""Use cases of the ledger; nobody else writes its tables."""

from app.ledger.awarding import AccountState, Award, AwardedActivity, MemberPlan, plan_activity, plan_for
from app.ledger.booking import BUCKETS, AccountBook
from app.ledger.lots import ExpiryTerms, LotState, PendingTerms, available_time, expiry_time
from app.ledger.service.awards import award_in_book, open_accounts, start_write, write_beside
from app.ledger.service.books import (
    POINTS_MAX,
    Posted,
    add_facts,
    lock_account,
    lock_accounts,
    open_book,
    settle_due,
    write_books_of,
)
from app.ledger.service.changes import adjust_points, extend_expiry, give_points, reverse_points, write_off_debt
from app.ledger.service.checkout import spendable_points
from app.ledger.service.corrections import PaidLot, TakenBack, complete_lots, load_paid_lots, take_back
from app.ledger.service.history import (
    HistoryPage,
    Statement,
    explain_rules_with,
    list_entries,
    read_history,
    read_statement,
    statement_chunks,
)
from app.ledger.service.holds import (
    capture_hold,
    find_hold_owner,
    get_hold,
    hold_in_book,
    hold_points,
    release_hold,
)
from app.ledger.service.order_payments import OrderPayment, list_order_payers, list_order_payments
from app.ledger.service.reading import Balance, Wallet, read_balance, read_wallet, sum_paid
from app.ledger.service.settling import settle_due_accounts
from app.ledger.service.spending import refund_in_book, refund_spend, spend_in_book, spend_points
from app.ledger.spending import SpendAsRead, spend_as_read, write_as_read
from app.ledger.verification import Verification, verify

__all__ = [
    "BUCKETS",
    "POINTS_MAX",
    "AccountBook",
    "AccountState",
    "Award",
    "AwardedActivity",
    "Balance",
    "ExpiryTerms",
    "HistoryPage",
    "LotState",
    "MemberPlan",
    "OrderPayment",
    "PaidLot",
    "PendingTerms",
    "Posted",
    "SpendAsRead",
    "Statement",
    "TakenBack",
    "Verification",
    "Wallet",
    "add_facts",
    "adjust_points",
    "available_time",
    "award_in_book",
    "capture_hold",
    "complete_lots",
    "expiry_time",
    "explain_rules_with",
    "extend_expiry",
    "find_hold_owner",
    "get_hold",
    "give_points",
    "hold_in_book",
    "hold_points",
    "list_entries",
    "list_order_payers",
    "list_order_payments",
    "load_paid_lots",
    "lock_account",
    "lock_accounts",
    "open_accounts",
    "open_book",
    "plan_activity",
    "plan_for",
    "read_balance",
    "read_history",
    "read_statement",
    "read_wallet",
    "refund_in_book",
    "refund_spend",
    "release_hold",
    "reverse_points",
    "settle_due",
    "settle_due_accounts",
    "spend_as_read",
    "spend_in_book",
    "spend_points",
    "spendable_points",
    "start_write",
    "statement_chunks",
    "sum_paid",
    "take_back",
    "verify",
    "write_as_read",
    "write_beside",
    "write_books_of",
    "write_off_debt",
]
