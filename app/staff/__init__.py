"""Staff: their accounts, sign-in and roles."""
