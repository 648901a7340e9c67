"""The programme's own settings: one versioned document."""
