"""Erasing one person: found everywhere, replaced by pseudonyms in the landing, kept out of later pulls, proved gone."""
