import sys

sys.exit("the schema is too new")
