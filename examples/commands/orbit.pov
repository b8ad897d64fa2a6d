// A planet and its moon; `clock` goes from 0 to 1 in one turn.
#version 3.7;
global_settings { assumed_gamma 1 }
camera { location <0, 2.2, -6> look_at 0 angle 40 right x*4/3 }
light_source { <-6, 5, -6> rgb 1.2 }
sky_sphere { pigment { granite scale 0.05 color_map { [0 rgb 0] [0.82 rgb 0] [0.9 rgb 0.7] [1 rgb 1] } } }

sphere { 0, 1
  pigment { bozo turbulence 0.6 scale <0.7, 0.4, 0.7> color_map { [0 rgb <0.05, 0.15, 0.5>] [0.5 rgb <0.05, 0.2, 0.6>] [0.52 rgb <0.2, 0.45, 0.15>] [1 rgb <0.6, 0.55, 0.35>] } }
  finish { ambient 0.03 diffuse 0.8 specular 0.2 }
  rotate -y*360*clock
}
sphere { <2, 0, 0>, 0.27
  pigment { granite scale 0.3 color_map { [0 rgb 0.35] [1 rgb 0.8] } }
  finish { ambient 0.02 diffuse 0.8 }
  rotate -y*360*clock
  rotate x*-12
}
