"""A job API in front of something that runs workflows; it knows neither ComfyUI nor Ray.

`Service` is the middle: HTTP handlers (api/) give it orders, a Runner does them, the ledger keeps what was promised.
"""
