"""Shoppers: sign-in, sessions, profile and what others may know of them."""
