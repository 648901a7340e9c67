"""Campaigns and their rules: what earns, how much, and why."""
