"""How much of what is planted into the sample company the platform finds, and whether it names the cause."""
