"""What a business word means, once: definitions, rules, compiled SQL, answers and their source rows."""
