"""Pages people look at: static files, made from the warehouse, that open without a server or a network."""
