"""Certificates, packaging options and materials: what a purchase or a drop-off can rest on."""
