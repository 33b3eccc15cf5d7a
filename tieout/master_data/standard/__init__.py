"""Values in one form: names, codes, telephone numbers, addresses, products, people. Pure functions, idempotent."""
