"""Measurements: how fast the product is beside bare SQL on the same server in the same run."""
