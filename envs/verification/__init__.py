"""`dataops verify`: a branch in a throwaway replica, its pipelines run, its marts compared with production's."""
