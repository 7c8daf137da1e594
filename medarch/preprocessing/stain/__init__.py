"""Stains of histology: their colours, and bringing one slide's to those of another."""
