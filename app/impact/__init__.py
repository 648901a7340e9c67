"""Environmental impact: published factors, and what an activity avoided by them."""
