--- The version of pcapi; the only place that states it.
return "0.1.0"
