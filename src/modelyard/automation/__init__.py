"""What joins serving, monitoring and optimization."""
