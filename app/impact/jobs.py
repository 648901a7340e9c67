"""What impact does by itself: run the restatements that were asked for."""

from app.core.jobs import Job
from app.impact.service.restatements import JOB_NAME, run_restatements

JOBS = (Job(JOB_NAME, "* * * * *", run_restatements),)
