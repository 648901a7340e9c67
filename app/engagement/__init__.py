"""Reasons to come back; so far what each member did and earned by day."""
