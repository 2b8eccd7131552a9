"""What runs an array program: one file for each library, each with a table of rules and a function `lower`."""
