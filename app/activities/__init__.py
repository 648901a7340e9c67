"""Activities: what was done, as it was reported, and what it earned."""
