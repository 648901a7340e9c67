"""What redemption does by itself: tell of stock that runs out, close what the clock has ended."""

from app.core.jobs import Job
from app.redemption.lapsing import close_lapsed
from app.redemption.stock import notice_stocks

JOBS = (
    Job("notice_stocks", "* * * * *", lambda _: notice_stocks()),
    Job("close_lapsed_redemptions", "* * * * *", close_lapsed),
)
