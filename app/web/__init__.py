"""What people see: the console of those who take part, and the public pages."""
