"""Looks at names, their zones, this gate and the CA before an order (`daemun.core.issuance.preflight` judges)."""
