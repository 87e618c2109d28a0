"""Vocabulary, commands, events and order lifecycle shared by every Vyomo process."""
