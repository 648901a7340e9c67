"""Partner shops: their API keys and which of their customers is which member."""
