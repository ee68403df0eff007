var ready = true;
