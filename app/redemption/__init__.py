"""What points can be turned into: rewards, vouchers, redemptions, causes."""
