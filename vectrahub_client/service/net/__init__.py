"""What leaves this server: checked addresses, fetched inputs, posts, signatures."""
