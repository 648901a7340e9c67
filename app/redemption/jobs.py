"""What redemption does by itself: tell of stock that runs out."""

from app.core.jobs import Job
from app.redemption.stock import notice_stocks

JOBS = (Job("notice_stocks", "* * * * *", lambda _: notice_stocks()),)
