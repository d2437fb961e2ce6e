"""The addresses of the job API: thin handlers, and what the OpenAPI document says of them."""
