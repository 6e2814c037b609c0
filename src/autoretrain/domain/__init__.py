"""The vocabulary: frozen records and enums that every other layer speaks. Standard library only."""
