"""The dense graph: hierarchical navigable small worlds (Malkov & Yashunin 2018) walked over compact codes."""
