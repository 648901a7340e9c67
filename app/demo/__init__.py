"""The demo: a readable programme, and a year of real grocery baskets replayed as a merchant's plugin would."""
