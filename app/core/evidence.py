"""Evidence grades, weakest first: how sure we are that an activity happened."""

GRADES = ("self_declared", "photo", "staff", "machine", "serialised")
RANK = {grade: rank for rank, grade in enumerate(GRADES)}
