--- The version of pcapi. No other file states it.
return "0.1.0"
