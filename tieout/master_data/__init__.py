"""Master data: which records of the systems are one customer, supplier, product or employee, and what it is called."""
