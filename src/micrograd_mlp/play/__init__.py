"""The playground: a page in the browser on which networks are built, trained and taken apart. Loads when used."""
