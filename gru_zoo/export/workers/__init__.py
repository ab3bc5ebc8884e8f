"""What may crash or hang, in processes of their own: `isolated` starts one and waits for it."""
