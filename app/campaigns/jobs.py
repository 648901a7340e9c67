"""What campaigns do by themselves: tell of budgets that run out."""

from app.campaigns.service.budgets import notice_budgets
from app.core.jobs import Job

JOBS = (Job("notice_budgets", "* * * * *", lambda _: notice_budgets()),)
