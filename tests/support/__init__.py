"""What several test folders share; imported as ``support``."""
