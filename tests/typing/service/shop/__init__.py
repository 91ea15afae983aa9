"""The shop: its products, each of which a supplier delivers."""
