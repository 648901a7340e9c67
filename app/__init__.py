"""Greenpoints: the backend of a green points and rewards programme."""
